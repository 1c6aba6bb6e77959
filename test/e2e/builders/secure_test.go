package builders

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
)

// secure is a registry that wants a password and has the certificate of a private authority, which this machine trusts
// as one does that a company has set up: in the bundles of its system and of Java.
const secure = "registry.test:5443"

const (
	user, password = "user", "password"
	htpasswd       = "user:$2a$04$50cKiJNv5Ps66BvcObffpuDpfFDnAZobyBG0bcmIiDbtJux1CVwpK"

	authorities = "/etc/ssl/certs/ca-certificates.crt"
	trustStore  = lab + "/cacerts"

	anonymous = lab + "/anonymous" // a DOCKER_CONFIG without a login
)

func startSecure() error {
	script := `
set -e
cd ` + lab + `
mkdir secure anonymous
echo '{}' >anonymous/config.json
echo '` + htpasswd + `' >secure/htpasswd
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=registry.test \
  -addext subjectAltName=DNS:registry.test -keyout secure/key.pem -out secure/cert.pem 2>/dev/null
cat ` + authorities + ` secure/cert.pem >secure/authorities.pem
mount --bind secure/authorities.pem ` + authorities + `
cp /etc/ssl/certs/java/cacerts ` + trustStore + `
keytool -importcert -noprompt -alias registry.test -file secure/cert.pem -keystore ` + trustStore + ` -storepass changeit 2>/dev/null
{ echo '127.0.0.1 localhost registry.test'; echo '::1 localhost'; } >hosts
mount --bind hosts /etc/hosts
cat >secure.yml <<Y
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ` + lab + `/registry-secure}}
http: {addr: ` + secure + `, tls: {certificate: ` + lab + `/secure/cert.pem, key: ` + lab + `/secure/key.pem}}
auth: {htpasswd: {realm: test, path: ` + lab + `/secure/htpasswd}}
Y
`
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		return fmt.Errorf("making a private authority: %w\n%s", err, out)
	}
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	if err := os.WriteFile(lab+"/docker-config/config.json", fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, secure, auth), 0o600); err != nil {
		return err
	}
	return daemon("secure-registry", func() error { return dial("tcp", secure) }, "docker-registry", "serve", lab+"/secure.yml")
}
