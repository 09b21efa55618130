package core

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/mcp-credential/mcp-credential/cmd/call"
)

type manCmd struct {
	Dir string `arg:"" help:"Directory for the pages."`
}

// Run writes a manual page for the program and one for each command, from what the help is made of.
func (c manCmd) Run(streams) error {
	parser, err := kong.New(&commands{}, kong.PostBuild(hideUnusedFlags), kong.Name(call.Program), kong.Description(about), kong.Vars{"hosts": hostNames()})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	root := parser.Model.Node
	pages := map[string]string{call.Program: mainPage(root)}
	for _, command := range root.Children {
		if !command.Hidden {
			pages[call.Program+"-"+command.Name] = commandPage(command)
		}
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(c.Dir, name+".1"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// page is a manual page in the language of man(7).
type page struct{ strings.Builder }

func newPage(name, summary string) *page {
	p := &page{}
	p.macro("TH", strings.ToUpper(name), "1", "", call.Program)
	p.macro("SH", "NAME")
	p.text(name + " - " + strings.TrimSuffix(summary, "."))
	return p
}

// macro writes a request with its arguments, each between quotes.
func (p *page) macro(name string, args ...string) {
	p.WriteString("." + name)
	for _, a := range args {
		p.WriteString(` "` + strings.ReplaceAll(escaped(a), `"`, `\(dq`) + `"`)
	}
	p.WriteByte('\n')
}

// text writes paragraphs, and code as it is: lines that begin with a blank.
func (p *page) text(text string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			p.macro("PP")
		}
		for _, line := range strings.Split(paragraph, "\n") {
			line = escaped(strings.TrimSpace(line))
			if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
				line = `\&` + line
			}
			p.WriteString(line + "\n")
		}
	}
}

// escaped is a text in which nothing means anything to roff.
func escaped(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
}

func mainPage(root *kong.Node) string {
	p := newPage(call.Program, "access tokens for MCP servers")
	p.macro("SH", "SYNOPSIS")
	p.macro("B", call.Program)
	p.text("COMMAND [ARGUMENTS] [FLAGS]")
	p.macro("SH", "DESCRIPTION")
	p.text(about)
	p.macro("SH", "COMMANDS")
	for _, command := range root.Children {
		if !command.Hidden {
			p.macro("TP")
			p.macro("B", command.Name)
			p.text(command.Help)
		}
	}
	p.macro("SH", "EXIT STATUS")
	for _, row := range exitCodes {
		p.macro("TP")
		p.macro("B", row[0])
		p.text(row[1])
	}
	p.macro("SH", "FILES")
	p.macro("TP")
	p.macro("B", "~/.mcp-credential")
	p.text("Configuration (config.toml), sealed access tokens, records and locks. MCPCRED_HOME or --home name another directory.")
	p.macro("SH", "SEE ALSO")
	var names []string
	for _, command := range root.Children {
		if !command.Hidden {
			names = append(names, call.Program+"-"+command.Name+"(1)")
		}
	}
	p.text(strings.Join(names, ", "))
	return p.String()
}

// exitCodes are those of cmd/call, as docs/protocol.md has them.
var exitCodes = [][2]string{
	{"0", "An answer; for git also: not ours."}, {"1", "A fault of the program or the machine; doctor: a check has failed."},
	{"2", "The command line, the input or the home directory is wrong."}, {"3", "A person has to sign in."},
	{"4", "Try again later."}, {"5", "Refused, or misconfigured."}, {"6", "The keychain."},
}

func commandPage(command *kong.Node) string {
	name := call.Program + "-" + command.Name
	p := newPage(name, command.Help)
	p.macro("SH", "SYNOPSIS")
	usage := []string{}
	for _, arg := range command.Positional {
		usage = append(usage, arg.Summary())
	}
	p.macro("B", call.Program+" "+command.Name)
	p.text(strings.Join(append(usage, "[FLAGS]"), " "))
	p.macro("SH", "DESCRIPTION")
	p.text(command.Help)
	if command.Detail != "" {
		p.macro("PP")
		p.text(command.Detail)
	}
	if len(command.Positional) > 0 {
		p.macro("SH", "ARGUMENTS")
	}
	for _, arg := range command.Positional {
		p.macro("TP")
		p.macro("I", arg.Name)
		p.text(arg.Help)
	}
	p.macro("SH", "OPTIONS")
	for _, f := range command.Flags {
		if f.Hidden {
			continue
		}
		p.macro("TP")
		p.macro("B", flagTitle(f))
		p.text(f.Help)
	}
	p.macro("SH", "SEE ALSO")
	p.text(call.Program + "(1)")
	return p.String()
}

func flagTitle(f *kong.Flag) string {
	title := "--" + f.Name
	if f.Short != 0 {
		title = fmt.Sprintf("-%c, %s", f.Short, title)
	}
	if !f.IsBool() {
		title += " " + strings.Trim(f.FormatPlaceHolder(), `"`)
	}
	return title
}
