package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"
)

const image = "registry.example.com/team/web:1.7@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// write makes a folder with a stream of n documents, stream.yaml, and what
// kustomize needs to patch it. It returns the stream's size.
func write(dir string, n int) (int, error) {
	var b bytes.Buffer
	for i := range n {
		b.WriteString("---\n# Source: web/templates/app.yaml\n")
		switch i % 4 {
		case 0, 1:
			fmt.Fprintf(&b, deployment, i, i%40, environment())
		case 2:
			fmt.Fprintf(&b, configMap, i, strings.Repeat("    # what this line sets is not said here\n    setting.number = \"a value\"\n", 34))
		case 3:
			fmt.Fprintf(&b, service, i)
		}
	}
	kustomization := "resources: [stream.yaml]\npatches:\n- target: {kind: Deployment}\n  patch: |-\n    - op: add\n      path: /spec/template/spec/affinity\n      value: " + term + "\n"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(kustomization), 0o644); err != nil {
		return 0, err
	}
	if err := list(filepath.Join(dir, "list.json"), b.Bytes()); err != nil {
		return 0, err
	}
	return b.Len(), os.WriteFile(filepath.Join(dir, "stream.yaml"), b.Bytes(), 0o644)
}

// list writes the objects of a stream as kubectl get -o json prints them.
func list(path string, stream []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	w.WriteString("{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n")
	dec := yaml.NewDecoder(bytes.NewReader(stream))
	for first := true; ; first = false {
		var object map[string]any
		if err := dec.Decode(&object); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		b, err := json.MarshalIndent(object, "        ", "    ")
		if err != nil {
			return err
		}
		if !first {
			w.WriteString(",\n")
		}
		w.WriteString("        ")
		w.Write(b)
	}
	w.WriteString("\n    ],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\": \"\"\n    }\n}\n")
	return w.Flush()
}

func environment() string {
	var b strings.Builder
	for i := range 36 {
		fmt.Fprintf(&b, "            - name: VARIABLE_%d\n              value: \"some value that is not short, number %d\"\n", i, i)
	}
	return b.String()
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-%d
  namespace: team-%d
  labels:
    app.kubernetes.io/name: web
    app.kubernetes.io/managed-by: Helm
spec:
  replicas: 3
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      serviceAccountName: web   # may read its own secret

      containers:
        - name: web
          image: "` + image + `"
          args: ["--port=8080", "--name=web"]
          ports:
            - name: http
              containerPort: 8080
              protocol: TCP
          env:
%s          livenessProbe:
            httpGet:
              path: /healthz
              port: http
          resources:
            requests: {cpu: 100m, memory: 128Mi}
            limits:
              memory: 256Mi
          volumeMounts:
            - name: config
              mountPath: /etc/web
      volumes:
        - name: config
          configMap:
            name: web
`

const configMap = `apiVersion: v1
kind: ConfigMap
metadata:
  name: web-%d
data:
  web.conf: |
%s`

const service = `apiVersion: v1
kind: Service
metadata:
  name: web-%d
spec:
  selector: {app: web}
  ports:
    - name: http
      port: 80
      targetPort: http
`
