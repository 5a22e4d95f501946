tool kill-resolver default/front
