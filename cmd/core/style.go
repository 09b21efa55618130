package core

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/doctor"
)

// style is how a stream is written for people: its width, and colours (https://no-color.org).
type style struct {
	width int // columns; 0: lines are not broken
	color bool
}

// styleOf is the style of a stream: colours and broken lines are for terminals alone.
func styleOf(out io.Writer) style {
	f, ok := out.(*os.File)
	if !ok || !call.Terminal(f) {
		return style{}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 40 {
		width = 80
	}
	return style{width: width, color: osGetenv("NO_COLOR") == "" && osGetenv("TERM") != "dumb"}
}

// The colours of a terminal, by what they say (ECMA-48 SGR).
const (
	good  = "32"
	doubt = "33"
	bad   = "31"
	faint = "2"
)

func (s style) paint(color, text string) string {
	if !s.color || color == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// finding is one check of doctor, with what helps on a line of its own.
func (s style) finding(f doctor.Finding) []byte {
	colors := map[string]string{doctor.OK: good, doctor.Warn: doubt, doctor.Fail: bad}
	const indent = 20
	var out bytes.Buffer
	out.WriteString(s.paint(colors[f.Status], fmt.Sprintf("%-5s", f.Status)) + " " + fmt.Sprintf("%-13s", f.Check) + " " + s.broken(f.Detail, indent) + "\n")
	if f.Fix != "" && f.Status != doctor.OK {
		out.WriteString(strings.Repeat(" ", indent) + s.broken(f.Fix, indent) + "\n")
	}
	return out.Bytes()
}

// broken is a text in lines that fit, all but the first indented.
func (s style) broken(text string, indent int) string {
	if s.width == 0 {
		return text
	}
	var out strings.Builder
	column := indent
	for i, word := range strings.Fields(text) {
		n := len([]rune(word))
		switch {
		case i == 0:
		case column+1+n > s.width-1:
			out.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			out.WriteString(" ")
			column++
		}
		out.WriteString(word)
		column += n
	}
	return out.String()
}
