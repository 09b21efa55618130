package docs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// licences are told apart by a sentence of each.
var licences = []struct{ name, sentence string }{
	{"Apache-2.0", "Apache License Version 2.0"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"BSD-3-Clause", "Neither the name of"},
	{"BSD-2-Clause", "Redistribution and use in source and binary forms"},
}

// TestLicences holds licences.md to what the programs link on the three systems.
func TestLicences(t *testing.T) {
	found := map[string]bool{}
	for _, goos := range []string{"linux", "darwin", "windows"} {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}{{end}}{{end}}", "../cmd/...")
		cgo := "0"
		if goos == "darwin" {
			cgo = "1"
		}
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=arm64", "CGO_ENABLED="+cgo)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			if path, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
				found[fmt.Sprintf("| `%s` | %s |", path, licenceIn(t, dir))] = true
			}
		}
	}
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` +\\| (.*?) +\\|$").FindAllStringSubmatch(read(t, "licences.md"), -1) {
		listed = append(listed, fmt.Sprintf("| `%s` | %s |", row[1], row[2]))
	}
	for row := range found {
		if !slices.Contains(listed, row) {
			t.Errorf("licences.md has no row %s", row)
		}
	}
	for _, row := range listed {
		if !found[row] {
			t.Errorf("licences.md has a row for what is not linked: %s", row)
		}
	}
}

// licenceIn names the licences in the folder of a module.
func licenceIn(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		if !regexp.MustCompile(`(?i)^(licen[cs]e|copying)`).MatchString(f.Name()) || f.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(strings.ReplaceAll(string(data), ",\u0020Version", " Version")), " ")
		for _, l := range licences {
			twoClauses := l.name == "BSD-2-Clause" && slices.Contains(names, "BSD-3-Clause")
			if strings.Contains(text, l.sentence) && !slices.Contains(names, l.name) && !twoClauses {
				names = append(names, l.name)
			}
		}
	}
	if names == nil {
		return "unknown"
	}
	return strings.Join(names, ", ")
}
