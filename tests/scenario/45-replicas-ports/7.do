tool kill web-2
