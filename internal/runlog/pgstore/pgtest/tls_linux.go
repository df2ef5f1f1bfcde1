// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// StartTLS starts a server that takes TCP connections with TLS too, and returns with it an address of its own, so that its
// port is free (Linux answers to all of 127.0.0.0/8), and the file of the certificate that vouches for it.
func StartTLS(t testing.TB) (s *Server, host, certificate string) {
	t.Helper()
	pid := os.Getpid()
	host = fmt.Sprintf("127.83.%d.%d", pid/250%250, pid%250+1)
	s = Start(t, "-c", "listen_addresses="+host)
	certificate = filepath.Join(s.data(), "server.crt")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, IPAddresses: []net.IP{net.ParseIP(host)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for path, block := range map[string]*pem.Block{
		certificate:                           {Type: "CERTIFICATE", Bytes: signed},
		filepath.Join(s.data(), "server.key"): {Type: "PRIVATE KEY", Bytes: private},
	} {
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
		require.NoError(t, giveAway(path))
	}
	Exec(t, s.DSN("postgres"), "ALTER SYSTEM SET ssl = on")
	Exec(t, s.DSN("postgres"), "SELECT pg_reload_conf()")
	return s, host, certificate
}
