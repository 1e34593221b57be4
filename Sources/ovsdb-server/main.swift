// ovsdb-server
