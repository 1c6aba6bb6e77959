package imagetest_test

import (
	"bytes"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/polyarch/polyarch/internal/imagetest"
)

// Nothing of a network is left when Close returns, however far its servers
// have come: the clock of a bubble stands still then, and synctest calls what
// still sleeps a deadlock. A server sleeps before it reads no more of a body.
func TestCloseWaits(t *testing.T) {
	body := make([]byte, 1<<20)
	for _, answered := range []bool{true, false} {
		for n := range 100 {
			synctest.Test(t, func(t *testing.T) {
				network := imagetest.NewNetwork()
				network.Serve("registry.test", time.Second, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.WriteHeader(http.StatusForbidden)
				}))
				put := func() error {
					r, err := http.NewRequest(http.MethodPut, "http://registry.test/", bytes.NewReader(body))
					if err != nil {
						return err
					}
					resp, err := network.Transport().RoundTrip(r)
					if err != nil {
						return err
					}
					return resp.Body.Close()
				}
				if answered {
					if err := put(); err != nil {
						t.Error(err)
					}
				} else {
					go put() // fails where Close comes first
					for range n {
						runtime.Gosched()
					}
				}
				network.Close()
			})
		}
	}
}
