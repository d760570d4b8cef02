package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/dapr/dapr/pkg/sentry/server/ca/bundle"
	"github.com/dapr/kit/crypto/pem"
	"github.com/google/renameio/v2"
)

// Names in the folder of the authority. Each generation of certificates has a folder of its own, and a link names the
// current one, so that the certificate and its key change in one step.
const (
	rootFile    = "ca.crt"
	issuerFile  = "issuer.crt"
	keyFile     = "issuer.key"
	currentLink = "current"
)

// renewShare is the share of their life that remains when certificates are replaced: a third, four months of a year.
const renewShare = 3

// authority makes and replaces the root and issuer certificates.
//
// A root's key is used once, for its issuer, and never stored. A replacement is a new root with a new issuer. The old root
// stays trusted until it ends, because sidecars have certificates under it.
type authority struct {
	dir         string
	anchors     string // file for the sidecars
	trustDomain string
	life        time.Duration
	settle      time.Duration
}

// ensure returns the folder of the current certificates. It makes the first ones, and replaces those that are due. A damaged
// file is an error and stays as it is.
func (a authority) ensure(ctx context.Context) (string, error) {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return "", fmt.Errorf("the authority's folder: %w", err)
	}
	link := filepath.Join(a.dir, currentLink)
	name, err := os.Readlink(link)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a.replace(ctx, "", nil)
	case err != nil:
		return "", fmt.Errorf("the authority's folder: %w", err)
	}
	current := filepath.Join(a.dir, name)
	due, err := a.due(current)
	if err != nil {
		return "", err
	}
	roots, err := readCertificates(filepath.Join(current, rootFile))
	if err != nil {
		return "", err
	}
	if due.After(time.Now()) {
		return current, a.publish(roots)
	}
	log.Warnf("the root and issuer certificates are replaced: they end soon")
	next, err := a.replace(ctx, current, roots)
	if err != nil { // the old ones are good for months, and there is another attempt soon
		log.Errorf("the root and issuer certificates could not be replaced: %v", err)
		return current, nil
	}
	return next, nil
}

// due returns when the certificates in a folder have to be replaced.
func (a authority) due(current string) (time.Time, error) {
	issuer, err := readCertificates(filepath.Join(current, issuerFile))
	if err != nil {
		return time.Time{}, err
	}
	return issuer[0].NotAfter.Add(-a.life / renewShare), nil
}

// waitUntilDue returns nil when the certificates have to be replaced. It reads the clock again and again, because a timer
// stands still while a machine sleeps.
func (a authority) waitUntilDue(ctx context.Context, every time.Duration, current string) error {
	due, err := a.due(current)
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every): // first, so that an attempt that failed is not repeated at once
			if !time.Now().Before(due) {
				return nil
			}
		}
	}
}

// replace makes a new root and issuer. Sidecars get to know the new root before anything is signed under it.
func (a authority) replace(ctx context.Context, old string, oldRoots []*x509.Certificate) (string, error) {
	_, rootKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make a root key: %w", err)
	}
	made, err := bundle.GenerateX509(bundle.OptionsX509{
		X509RootKey: rootKey, TrustDomain: a.trustDomain, AllowedClockSkew: clockSkew, OverrideCATTL: &a.life,
	})
	if err != nil {
		return "", fmt.Errorf("make certificates: %w", err)
	}
	roots, err := pem.DecodePEMCertificates(made.TrustAnchors)
	if err != nil {
		return "", fmt.Errorf("make certificates: %w", err)
	}
	for _, r := range oldRoots {
		if r.NotAfter.After(time.Now()) {
			roots = append(roots, r)
		}
	}
	if err := a.publish(roots); err != nil {
		return "", err
	}
	if len(oldRoots) > 0 {
		select {
		case <-ctx.Done():
			return old, nil // the next start makes other certificates
		case <-time.After(a.settle):
		}
	}
	name := strconv.FormatInt(time.Now().UnixNano(), 10)
	current := filepath.Join(a.dir, name)
	anchors, err := encode(roots)
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(current, 0o700); err != nil {
		return "", fmt.Errorf("store certificates: %w", err)
	}
	for file, content := range map[string][]byte{rootFile: anchors, issuerFile: made.IssChainPEM, keyFile: made.IssKeyPEM} {
		if err := renameio.WriteFile(filepath.Join(current, file), content, 0o600, renameio.WithStaticPermissions(0o600)); err != nil {
			return "", fmt.Errorf("store certificates: %w", err)
		}
	}
	if err := renameio.Symlink(name, filepath.Join(a.dir, currentLink)); err != nil {
		return "", fmt.Errorf("store certificates: %w", err)
	}
	return current, a.forget(name)
}

// forget removes the folders of all generations but one.
func (a authority) forget(but string) error {
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		return fmt.Errorf("remove old certificates: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() != but {
			err = errors.Join(err, os.RemoveAll(filepath.Join(a.dir, e.Name())))
		}
	}
	return err
}

// publish writes the file of root certificates for the sidecars. It is no secret, but only the authority may change it.
func (a authority) publish(roots []*x509.Certificate) error {
	content, err := encode(roots)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(a.anchors); err == nil && string(old) == string(content) {
		return nil // no event for those who watch it
	}
	if err := os.MkdirAll(filepath.Dir(a.anchors), 0o755); err != nil {
		return fmt.Errorf("publish the root certificates: %w", err)
	}
	if err := renameio.WriteFile(a.anchors, content, 0o644, renameio.WithStaticPermissions(0o644)); err != nil {
		return fmt.Errorf("publish the root certificates: %w", err)
	}
	return nil
}

func encode(certificates []*x509.Certificate) ([]byte, error) {
	var all []byte
	for _, c := range certificates {
		raw, err := pem.EncodeX509(c)
		if err != nil {
			return nil, fmt.Errorf("encode a certificate: %w", err)
		}
		all = append(all, raw...)
	}
	return all, nil
}

func readCertificates(path string) ([]*x509.Certificate, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	certificates, err := pem.DecodePEMCertificates(raw)
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w. It is left as it is; move the authority's folder away to have new certificates made", path, err)
	}
	return certificates, nil
}
