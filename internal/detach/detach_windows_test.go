package detach

import "os"

// parent is not played on Windows.
func parent() { os.Exit(2) }

// leads is true: a process has no session here, and its group shows in no call.
func leads() bool { return true }
