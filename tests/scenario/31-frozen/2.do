tool thaw web
