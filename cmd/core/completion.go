package core

import (
	"cmp"
	"embed"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/host"
	"github.com/mcp-credential/mcp-credential/internal/home"
	"github.com/mcp-credential/mcp-credential/protocol"
	"github.com/mcp-credential/mcp-credential/state"
)

// The scripts that tell a shell to ask completeCmd.
//
//go:embed completions
var completions embed.FS

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish,powershell" help:"bash, zsh, fish or powershell."`
}

// Run prints the script of a shell.
func (c completionCmd) Run(s streams) error {
	text, err := completions.ReadFile("completions/" + c.Shell)
	if err == nil {
		_, err = s.out.Write(text)
	}
	return err
}

type completeCmd struct {
	Word  string   `help:"What is there of the word to complete."`
	Words []string `arg:"" optional:"" help:"The words before it."`
}

// Run prints what the word can become, one on a line, with a tab and a help where there is one. It never fails: a shell that
// waits for a completion has no use for an error.
func (c completeCmd) Run(s streams) error {
	parser, err := kong.New(&commands{}, kong.PostBuild(hideUnusedFlags), kong.Name(call.Program), kong.Vars{"hosts": hostNames()})
	if err != nil {
		return nil
	}
	for _, one := range candidates(parser.Model.Node, c.Words, c.Word, knownServers) {
		if !strings.HasPrefix(one.name, c.Word) {
			continue
		}
		line := one.name
		if one.help != "" {
			line += "\t" + one.help
		}
		fmt.Fprintln(s.out, line)
	}
	return nil
}

// candidate is what a word can become.
type candidate struct{ name, help string }

// candidates are what can follow words, where word has been begun. Where files can follow there are none: shells know those.
func candidates(root *kong.Node, words []string, word string, servers func() []string) (out []candidate) {
	if len(words) == 0 {
		for _, command := range root.Children {
			if !command.Hidden {
				out = append(out, candidate{command.Name, command.Help})
			}
		}
		return append(out, candidate{"--help", ""}, candidate{"--version", ""})
	}
	i := slices.IndexFunc(root.Children, func(n *kong.Node) bool { return n.Name == words[0] })
	if i < 0 {
		return nil
	}
	command := root.Children[i]
	if name, _, ok := strings.Cut(word, "="); ok && strings.HasPrefix(word, "--") {
		for _, value := range valuesOf(flagNamed(command, name)) {
			out = append(out, candidate{name + "=" + value, ""})
		}
		return out
	}
	if f := flagNamed(command, words[len(words)-1]); f != nil && !f.IsBool() {
		for _, value := range valuesOf(f) {
			out = append(out, candidate{value, ""})
		}
		return out
	}
	if strings.HasPrefix(word, "-") {
		for _, f := range command.Flags {
			if !f.Hidden {
				out = append(out, candidate{"--" + f.Name, f.Help})
			}
		}
		return out
	}
	return positional(command, words[1:], servers)
}

func flagNamed(command *kong.Node, word string) *kong.Flag {
	i := slices.IndexFunc(command.Flags, func(f *kong.Flag) bool {
		return word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short)
	})
	if i < 0 {
		return nil
	}
	return command.Flags[i]
}

// valuesOf are the values that a flag or an argument can have, where they are known.
func valuesOf(f *kong.Flag) []string {
	switch {
	case f == nil:
		return nil
	case f.Enum != "":
		return strings.Split(f.Enum, ",")
	case f.Name == "prompt":
		return []string{"once", "never"}
	case f.Name == "shell":
		return []string{"posix", "fish", "powershell", "cmd"}
	case f.Name == "output" || f.Name == "input":
		var names []string
		for _, format := range protocol.Formats() {
			if f.Name == "output" && format.Encode != nil || f.Name == "input" && format.Decode != nil {
				names = append(names, format.Name)
			}
		}
		return names
	}
	return nil
}

// positional are the arguments that can follow those that are there.
func positional(command *kong.Node, words []string, servers func() []string) (out []candidate) {
	there := 0
	for i, w := range words {
		before := ""
		if i > 0 {
			before = words[i-1]
		}
		if f := flagNamed(command, before); !strings.HasPrefix(w, "-") && (f == nil || f.IsBool()) {
			there++
		}
	}
	if len(command.Positional) == 0 {
		return nil
	}
	arg := command.Positional[min(there, len(command.Positional)-1)]
	if there >= len(command.Positional) && arg.Target.Kind() != reflect.Slice {
		return nil
	}
	switch {
	case arg.Name == "url":
		for _, url := range servers() {
			out = append(out, candidate{url, ""})
		}
	case arg.Name == "host":
		for _, h := range host.Table {
			out = append(out, candidate{h.Name, h.Title})
		}
	case arg.Enum != "":
		for _, value := range strings.Split(arg.Enum, ",") {
			out = append(out, candidate{value, ""})
		}
	}
	return out
}

// knownServers are the URLs of servers that somebody has signed in to, in the usual home.
func knownServers() (urls []string) {
	dir, err := home.Find("", osGetenv)
	if err != nil || dir.Check() != nil {
		return nil
	}
	records := state.Records{Dir: dir}
	servers, _ := records.Servers()
	for _, s := range servers {
		urls = append(urls, s.URL)
	}
	machines, _ := records.Machines()
	for _, m := range machines {
		urls = append(urls, m.Server)
	}
	slices.SortFunc(urls, func(a, b string) int { return cmp.Compare(a, b) })
	return slices.DeleteFunc(slices.Compact(urls), func(u string) bool { return u != credential.Printable(u, 2000) })
}
