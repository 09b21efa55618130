package core

import (
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"github.com/mcp-credential/mcp-credential/cmd/call"
)

// sample has a value for every kind of flag that get has.
func sample(f *kong.Flag) []string {
	switch {
	case f.IsBool():
		return []string{"--" + f.Name}
	case f.Name == "wait":
		return []string{"--wait", "3s"}
	case f.IsSlice():
		return []string{"--" + f.Name, "a", "--" + f.Name + "=b=c"}
	}
	return []string{"--" + f.Name, "value=with=equals"}
}

func getFlags(t *testing.T) (*kong.Kong, *getCmd, []*kong.Flag) {
	t.Helper()
	var c getCmd
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	var flags []*kong.Flag
	for _, f := range parser.Model.Flags {
		if f.Name != "help" {
			flags = append(flags, f)
		}
	}
	if len(flags) < 10 {
		t.Fatalf("only %d flags found", len(flags))
	}
	return parser, &c, flags
}

// The front's parser and kong must read every command line the same way, or a warm answer and a cold one differ.
func TestBothParsersAgree(t *testing.T) {
	_, _, flags := getFlags(t)
	lines := [][]string{{"https://h/mcp"}, {}}
	for _, f := range flags {
		lines = append(lines, append(sample(f), "https://h/mcp"), append([]string{"https://h/mcp"}, sample(f)...))
		if f.Short != 0 {
			short := "-" + string(f.Short)
			if f.IsBool() {
				lines = append(lines, []string{short})
			} else {
				lines = append(lines, []string{short, "json", "https://h/mcp"})
			}
		}
	}
	for _, line := range lines {
		parser, byKong, _ := getFlags(t)
		if _, err := parser.Parse(line); err != nil {
			t.Errorf("kong refuses %q: %v", line, err)
			continue
		}
		var front call.Flags
		if !front.Parse(line) {
			t.Errorf("the front does not read %q", line)
			continue
		}
		if !reflect.DeepEqual(front, byKong.Flags) {
			t.Errorf("%q: the front reads %+v, kong %+v", line, front, byKong.Flags)
		}
	}
}

// What the front does not understand goes to the core, which says what is wrong.
func TestTheFrontLeavesOddLinesToTheCore(t *testing.T) {
	for _, line := range [][]string{
		{"--help"}, {"-h"}, {"--nonsense", "https://h"}, {"https://h", "https://i"}, {"--wait", "soon"}, {"--account"},
		{"--account", "--notify"}, {"--notify=yes"}, {"-vv"}, {"--"}, {""}, {"--output"},
	} {
		if new(call.Flags).Parse(line) {
			t.Errorf("the front took %q for itself", line)
		}
	}
}

func FuzzFrontParser(f *testing.F) {
	f.Add("get", "--account", "x")
	f.Add("https://h/mcp", "-o", "json")
	f.Add("--scope=a", "--scope", "-")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		line := []string{a, b, c}
		if !utf8.ValidString(a + b + c) {
			return // kong replaces what is not UTF-8; Flags.Check refuses it
		}
		var front call.Flags
		if !front.Parse(line) {
			return
		}
		var byKong getCmd
		parser, err := kong.New(&byKong, kong.Exit(func(int) {}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(line); err == nil && !reflect.DeepEqual(front, byKong.Flags) {
			t.Errorf("%q: the front reads %+v, kong %+v", line, front, byKong.Flags)
		}
	})
}

// A bridge without flags is started without kong, which must read that line the same way.
func TestPlainBridge(t *testing.T) {
	args := []string{"mcp-credential", "bridge", "https://h/mcp"}
	plain, ok := plainBridge(args)
	if !ok {
		t.Fatal("the plain line is not taken")
	}
	parser, err := kong.New(model(args))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(args[1:])
	if err != nil {
		t.Fatal(err)
	}
	if by := parsed.Selected().Target.Interface().(bridgeCmd); !reflect.DeepEqual(by, plain) {
		t.Errorf("kong reads %+v, the short way %+v", by, plain)
	}
	for _, line := range [][]string{{"bridge"}, {"bridge", "--help"}, {"bridge", "-v"}, {"bridge", "https://h/mcp", "-v"}, {"status", "https://h/mcp"}} {
		if c, ok := plainBridge(append([]string{"mcp-credential"}, line...)); ok {
			t.Errorf("%q is taken as %+v", line, c)
		}
	}
}
