tool kill web
