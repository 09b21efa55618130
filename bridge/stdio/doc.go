// Package stdio makes the pipes of a host cheap to wait for. What goes through them is left to its callers.
package stdio
