// Package orderstest tests package orders on real databases: SQLite always,
// MariaDB and PostgreSQL where their servers are installed. It is a module of its
// own because of the drivers.
package orderstest
