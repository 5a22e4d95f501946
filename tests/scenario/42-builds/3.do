fpsync image export app exported
fpsync image export app exported:again
