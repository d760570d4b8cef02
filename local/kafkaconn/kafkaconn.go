// Package kafkaconn connects the operator's tool to a Kafka outside the stack. The environment says whether with TLS and a
// user, as the component does for the sidecars (k8s/overlays/cloud/kafka.yaml).
package kafkaconn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// The settings are environment variables, because every process of the machine can read a password in an argument.
const (
	usernameVariable  = "KAFKA_USERNAME"
	passwordVariable  = "KAFKA_PASSWORD"
	mechanismVariable = "KAFKA_SASL_MECHANISM" // SCRAM-SHA-512 (default), SCRAM-SHA-256 or PLAIN
	tlsVariable       = "KAFKA_TLS"            // true or false; default: true with a user or a CA
	caVariable        = "KAFKA_CA_FILE"        // PEM; default: the machine's certificates
)

// Help describes the settings, for the commands that use them.
const Help = "A Kafka with TLS and users: " + usernameVariable + ", " + passwordVariable + ", " + mechanismVariable + " (SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN),\n" +
	caVariable + " and " + tlsVariable + "=true|false (default: true with a user or a CA) in the environment."

// ErrSettings is wrapped where the environment is wrong. Another try does not help.
var ErrSettings = errors.New("how to connect to Kafka")

// Client returns a client of the brokers (host:port, separated by commas). An error names the wrong setting and shows no
// password.
func Client(brokers string, more ...kgo.Opt) (*kgo.Client, error) {
	opts, err := options()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	client, err := kgo.NewClient(append(append(opts, kgo.SeedBrokers(strings.Split(brokers, ",")...)), more...)...)
	if err != nil {
		return nil, fmt.Errorf("the address of Kafka (%s): %w", brokers, err)
	}
	return client, nil
}

func options() (opts []kgo.Opt, err error) {
	user, password, ca := os.Getenv(usernameVariable), os.Getenv(passwordVariable), os.Getenv(caVariable)
	if (user == "") != (password == "") {
		return nil, errors.New(usernameVariable + " and " + passwordVariable + ": one without the other")
	}
	encrypted := user != "" || ca != ""
	if v := os.Getenv(tlsVariable); v != "" {
		if encrypted, err = strconv.ParseBool(v); err != nil {
			return nil, fmt.Errorf("%s: %q is neither true nor false", tlsVariable, v)
		}
	}
	if encrypted {
		roots, err := authorities(ca)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", caVariable, err)
		}
		opts = append(opts, kgo.DialTLSConfig(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}))
	}
	if user == "" {
		return opts, nil
	}
	switch mechanism := os.Getenv(mechanismVariable); mechanism {
	case "", "SCRAM-SHA-512":
		opts = append(opts, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()))
	case "SCRAM-SHA-256":
		opts = append(opts, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism()))
	case "PLAIN":
		opts = append(opts, kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()))
	default:
		return nil, fmt.Errorf("%s: %q is none of SCRAM-SHA-512, SCRAM-SHA-256 and PLAIN", mechanismVariable, mechanism)
	}
	return opts, nil
}

// authorities returns the certificates in the file. For "" it returns nil, which means the machine's.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // which means the machine's
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("%s has no certificate in PEM", file)
	}
	return roots, nil
}
