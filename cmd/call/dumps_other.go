//go:build !linux && !darwin

package call

// RefuseDumps does nothing: Windows writes no dump of a Go program, whose runtime ends it, unless GOTRACEBACK=wer asks for
// one, and lets every program of the same user read its memory.
func RefuseDumps() {}
