<?php
define('DB_NAME', getenv('DATABASE'));
define('DB_USER', getenv('USER_NAME'));
define('DB_PASSWORD', getenv('PASSWORD'));
define('DB_HOST', getenv('DATABASE_HOST'));
define('WP_CONTENT_DIR', '/var/lib/wordpress/wp-content');
