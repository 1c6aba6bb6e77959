package registries

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// tokenService is what a registry sends clients to for a token
// (distribution.github.io/distribution/spec/auth/jwt). asked counts.
func tokenService(t *testing.T, p pair, asked *atomic.Int64) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if u, pw, ok := r.BasicAuth(); !ok || u != user || pw != password {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		type access struct {
			Type    string   `json:"type"`
			Name    string   `json:"name"`
			Actions []string `json:"actions"`
		}
		granted := []access{}
		for _, scope := range r.URL.Query()["scope"] {
			kind, rest, _ := strings.Cut(scope, ":")
			i := strings.LastIndexByte(rest, ':')
			granted = append(granted, access{kind, rest[:i], strings.Split(rest[i+1:], ",")})
		}
		now := time.Now()
		json.NewEncoder(w).Encode(map[string]any{"expires_in": 300, "token": p.sign(t, map[string]any{
			"iss": "polyarch test", "aud": r.URL.Query().Get("service"), "sub": user, "jti": "1",
			"iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(5 * time.Minute).Unix(), "access": granted,
		})})
	}))
	t.Cleanup(s.Close)
	return s
}

// sign makes a JSON Web Token by ES256 (RFC 7518, section 3.4).
func (p pair) sign(t *testing.T, claims map[string]any) string {
	encode := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	head := map[string]any{"alg": "ES256", "typ": "JWT", "x5c": []string{base64.StdEncoding.EncodeToString(p.der)}}
	text := encode(head) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		t.Error(err)
		return ""
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}
