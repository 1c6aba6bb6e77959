//go:build !unix

package layout

import "errors"

func pipe(string) func(dir, outside string) error {
	return func(string, string) error { return errors.ErrUnsupported }
}
