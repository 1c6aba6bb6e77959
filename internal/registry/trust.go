package registry

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// trusted refuses addresses that the registry at host must not send us to:
// those that would carry in clear what TLS protected, and those of machines
// that only we can reach, this one among them. A registry that the user has on
// such an address may name it, and its neighbours.
func (c *Client) trusted(host string, u *url.URL) error {
	switch {
	case u.Host == "" || u.Hostname() == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q is not an address", u.Redacted())
	case c.insecure(u.Host): // the user named it
		return nil
	case u.Scheme == "http" && !loopback(u.Host):
		return fmt.Errorf("%s would be reached over plain HTTP", u.Host)
	}
	if to := reachOf(u.Host); to != anyone && reachOf(host) != to && reachOf(host) != thisMachine {
		return fmt.Errorf("%s is %s, and %s is not", u.Host, to, host)
	}
	return nil
}

// A reach says from where an address can be reached.
type reach string

const (
	anyone      reach = ""
	thisMachine reach = "this machine"
	linkLocal   reach = "a link-local address"
	private     reach = "a private address"
)

// reachOf looks at literal addresses, and at names that mean this machine.
func reachOf(host string) reach {
	name := hostname(host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761, section 6.3
		return thisMachine
	}
	name, _, _ = strings.Cut(name, "%")
	a, err := netip.ParseAddr(name)
	if err != nil {
		if numeric(name) { // 127.1, 0x7f000001, 2130706433: some resolvers take them
			return thisMachine
		}
		return anyone
	}
	return reachOfAddress(a)
}

func reachOfAddress(a netip.Addr) reach {
	switch a = a.WithZone("").Unmap(); {
	case a.IsLoopback() || a.IsUnspecified():
		return thisMachine
	case a.IsLinkLocalUnicast() || a.IsMulticast():
		return linkLocal
	case a.IsPrivate() || carrierGrade.Contains(a):
		return private
	}
	return anyone
}

// carrierGrade addresses are private to a provider (RFC 6598).
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// numeric reports whether a name is a number, or numbers with dots.
func numeric(name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		part = strings.TrimPrefix(part, "0x")
		if part == "" || strings.Trim(part, "0123456789abcdef") != "" {
			return false
		}
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	return strings.HasPrefix(last, "0x") || strings.Trim(last, "0123456789") == ""
}

// hostname returns a host without port and final dot, in lower case.
func hostname(host string) string {
	return strings.ToLower(strings.TrimSuffix((&url.URL{Host: host}).Hostname(), "."))
}

// loopback reports whether a host, with or without a port, is this machine:
// localhost, or a loopback address. Other names below localhost are not.
func loopback(host string) bool {
	name := hostname(host)
	if name == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(name)
	return err == nil && a.Unmap().IsLoopback()
}
