package webclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Failure turns an error of Client.Do into one with a kind: a refusal of this package stays what it is, a certificate that
// does not hold is of kind Untrusted, everything else of kind Network. What names who was asked, such as "authorization
// server". The URL is not repeated.
func Failure(err error, what string) *credential.Error {
	var own *credential.Error
	if errors.As(err, &own) {
		return own
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) {
		return credential.Fail(credential.Untrusted, "the certificate of the "+what+" "+untrusted(cert), nil)
	}
	return credential.Fail(credential.Network, "the "+what+" cannot be reached", said{reason(err), quiet(err)})
}

// untrusted says what is wrong with a certificate.
func untrusted(err error) string {
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &name):
		return "is for another name than " + credential.Printable(name.Host, 100)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "has expired, or is not valid yet, by the clock of this machine"
	}
	return "is not trusted by this machine: it is signed by an unknown authority"
}

// said is an error of the network in words for people; errors.Is and errors.As see the error itself.
type said struct {
	text  string
	cause error
}

func (s said) Error() string { return s.text }
func (s said) Unwrap() error { return s.cause }

// Detail returns the network's own words for err, for somebody who wants to know more; "" where there are none.
func Detail(err error) string {
	var s said
	if !errors.As(err, &s) {
		return ""
	}
	return s.cause.Error()
}

// quiet keeps the errors of the network and replaces others: net/http quotes the bytes of an answer that is not HTTP.
func quiet(err error) error {
	var network net.Error
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, known) {
			return err
		}
	}
	if errors.As(err, &network) {
		return err
	}
	return errors.New("no HTTP answer")
}

// UnknownHost returns the name that err says nobody has, and "" for any other error.
func UnknownHost(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return credential.Printable(dns.Name, 100)
	}
	return ""
}

// reason says why a request had no answer.
func reason(err error) string {
	text := cause(err)
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "proxyconnect" {
		return "its proxy: " + text
	}
	return text
}

func cause(err error) string {
	var dns *net.DNSError
	var network net.Error
	var op *net.OpError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case UnknownHost(err) != "":
		return "there is no host called " + UnknownHost(err)
	case errors.As(err, &network) && network.Timeout(): // a context's deadline too
		return "there was no answer in time"
	case errors.As(err, &dns):
		return "the name " + credential.Printable(dns.Name, 100) + " cannot be looked up just now"
	case errors.Is(err, context.Canceled):
		return "it was given up"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "this machine has no way to it"
	case errors.As(err, &record), errors.As(err, &alert), strings.HasPrefix(err.Error(), "tls: "), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "the TLS handshake failed"
	case errors.As(err, &op) && op.Op == "dial": // Windows has other numbers for these
		return "no connection came about"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network):
		return "the connection broke off"
	}
	return "no HTTP answer"
}
