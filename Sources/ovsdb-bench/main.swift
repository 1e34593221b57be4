// ovsdb-bench
