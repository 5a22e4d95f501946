tool kill old
