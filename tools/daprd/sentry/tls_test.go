package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// onlySentry is the TLS configuration of a sidecar: it accepts only a certificate of sentry under the roots.
func onlySentry(roots *x509.CertPool) *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, // a SPIFFE certificate has no host name; the function below verifies it
		VerifyConnection: func(state tls.ConnectionState) error {
			between := x509.NewCertPool()
			for _, c := range state.PeerCertificates[1:] {
				between.AddCert(c)
			}
			leaf := state.PeerCertificates[0]
			if len(leaf.URIs) != 1 || leaf.URIs[0].String() != sentryID {
				return errors.New("the certificate is not sentry's")
			}
			_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
			return err
		},
	}
}
