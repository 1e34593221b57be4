// ovsdb-tool
