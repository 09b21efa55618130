package script

const homeVariable = "USERPROFILE"

func systemPrograms() map[string]func() { return nil }

func systemCommands() map[string]command { return nil }
