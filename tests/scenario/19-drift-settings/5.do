tool unmark-bridge default/front
