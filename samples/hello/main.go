// Command hello says on which platform it runs. With SERVE set to an address
// it says so over HTTP as well, until it is stopped.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"runtime"
)

func main() {
	line := fmt.Sprintf("Hello world! Running on %s/%s\n", runtime.GOOS, runtime.GOARCH)
	fmt.Print(line)
	address := os.Getenv("SERVE")
	if address == "" {
		return
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, line) })
	log.Fatal(http.ListenAndServe(address, nil))
}
