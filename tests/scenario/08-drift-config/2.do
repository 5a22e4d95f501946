tool edit-config web
