// Package fleet runs the programs as the machines of a fleet that shares one sign-in through a real PostgreSQL.
package fleet
