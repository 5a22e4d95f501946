tool drop-bridge default/front
