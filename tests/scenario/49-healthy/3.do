tool kill cache
