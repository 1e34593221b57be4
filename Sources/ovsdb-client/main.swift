// ovsdb-client
