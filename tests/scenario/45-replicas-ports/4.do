tool kill web-3
