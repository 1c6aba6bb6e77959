package policy

import (
	"regexp"
	"strings"
)

// Name is what every namespace's ConfigMap is called.
const Name = "polyarch-platforms"

// Taints is the key of the taints that Pods are to tolerate, as KEY=VALUE:EFFECT
// with commas between them.
const Taints = "taints"

// keyGrammar is that of a ConfigMap's key.
// https://kubernetes.io/docs/concepts/configuration/configmap/#configmap-object
var keyGrammar = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)

var escape = strings.NewReplacer("/", "..", ":", ".-.")

// TagKey returns the key of HOST/PATH:TAG, whose host and path are written in
// full. A few images have none: their name is too long.
func TagKey(repository, tag string) (key string, ok bool) {
	key = escape.Replace(repository + ":" + tag)
	return key, keyGrammar.MatchString(key)
}

// DigestKey returns the key of a digest, ALGORITHM:HEX.
func DigestKey(digest string) string { return strings.ReplaceAll(digest, ":", "-") }
