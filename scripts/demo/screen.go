package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// screen writes the transcript: numbered steps, the commands as a user would type them, what they print, and what was
// proven by them. Colour is an extra that carries no meaning.
type screen struct {
	out    io.Writer
	colour bool
}

// Colours, as the numbers of ANSI escape sequences.
const (
	bold  = "1"
	faint = "2"
	green = "32"
	blue  = "36"
)

func (s screen) paint(colour, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (s screen) line(text string) { fmt.Fprintln(s.out, text) }

func (s screen) intro(server, issuer string) {
	s.line(s.paint(bold, "mcp-credential, from sign-in to sign-out"))
	s.line("")
	s.line("  MCP server            " + server)
	s.line("  authorization server  " + issuer)
	s.line("")
	s.line("  Access tokens live 5 seconds. A refresh token works once; a second use")
	s.line("  revokes the whole sign-in.")
	s.line("  Home directory and keychain are temporary: nothing of yours is touched.")
}

func (s screen) title(n int, text string) {
	s.line("")
	s.line(s.paint(bold, fmt.Sprintf("%d. %s", n, text)))
	s.line("")
}

func (s screen) command(text string) {
	for _, line := range fold("$ " + text) {
		s.line("   " + s.paint(blue, line))
	}
}

// columns is what a line of the transcript may take beside its indentation, on a terminal of 80.
const columns = 76

// fold breaks a line at spaces, and within a word only where that is longer than a line.
func fold(text string) []string {
	var out []string
	for len(text) > columns {
		at := strings.LastIndexByte(text[:columns+1], ' ')
		if at < columns/2 {
			at = columns
		}
		out = append(out, text[:at])
		text = strings.TrimPrefix(text[at:], " ")
	}
	return append(out, text)
}

// output shows what a command printed.
func (s screen) output(text string) {
	for line := range strings.Lines(text) {
		for _, part := range fold(strings.TrimRight(line, "\r\n")) {
			s.line("   " + part)
		}
	}
}

// note says in brackets what the transcript cannot show.
func (s screen) note(text string) { s.line("   " + s.paint(faint, "("+text+")")) }

// proven states a checked fact, and a number that belongs to it where there is one.
func (s screen) proven(text, number string) {
	if number != "" {
		text = fmt.Sprintf("%-60s %12s", text, number)
	}
	s.line("   " + s.paint(green, "ok") + " " + text)
}

func (s screen) outro(steps int, took time.Duration) {
	s.line("")
	s.line(fmt.Sprintf("%d steps, all as they should be, in %.1f s.", steps, took.Seconds()))
}

// ms prints a duration in milliseconds.
func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
