//go:build unix

package script

import "testing"

const homeVariable = "HOME"

func TestUnixScripts(t *testing.T) { runScripts(t, "testdata/unix") }
