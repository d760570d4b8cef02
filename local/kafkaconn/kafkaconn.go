// Package kafkaconn connects the operator's tool and the provisioning to a Kafka. For a Kafka outside the stack the environment
// says whether with TLS and a user, as the component does for the sidecars (dapr-components/kafka-pubsub.yaml).
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
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// The settings are environment variables, because every process of the machine can read a password in an argument.
const (
	usernameVariable  = "KAFKA_USERNAME"
	passwordVariable  = "KAFKA_PASSWORD"
	fileVariable      = "KAFKA_PASSWORD_FILE"  // the file with the password, instead of the password
	mechanismVariable = "KAFKA_SASL_MECHANISM" // SCRAM-SHA-512 (default), SCRAM-SHA-256 or PLAIN
	tlsVariable       = "KAFKA_TLS"            // true or false; default: true with a user or a CA
	caVariable        = "KAFKA_CA_FILE"        // PEM; default: the machine's certificates
)

// Help describes the settings, for the commands that use them.
const Help = "A Kafka with TLS and users: " + usernameVariable + ", " + passwordVariable + " or " + fileVariable + ", " + mechanismVariable + "\n(SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN), " +
	caVariable + " and " + tlsVariable + "=true|false (default: true with a user or a CA) in the environment."

// ErrSettings is wrapped where the environment is wrong. Another try does not help.
var ErrSettings = errors.New("how to connect to Kafka")

// Settings say how to connect to a Kafka.
type Settings struct {
	Brokers   string // host:port, separated by commas
	Username  string // "" for a Kafka that asks for none
	Password  string
	Mechanism string // "" is SCRAM-SHA-512
	TLS       bool
	CA        string // certificates in PEM; "" for those of the machine
}

// The mechanisms by which a user logs in.
const (
	ScramSHA512 = "SCRAM-SHA-512"
	ScramSHA256 = "SCRAM-SHA-256"
	Plain       = "PLAIN"
)

// FromEnvironment returns the settings of the environment for the brokers (host:port, separated by commas). An error names the
// wrong setting and shows no password.
func FromEnvironment(brokers string) (Settings, error) {
	s, err := fromEnvironment()
	if err != nil {
		return Settings{}, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	s.Brokers = brokers
	return s, nil
}

func fromEnvironment() (Settings, error) {
	s := Settings{Username: os.Getenv(usernameVariable), Password: os.Getenv(passwordVariable), Mechanism: os.Getenv(mechanismVariable)}
	if file := os.Getenv(fileVariable); file != "" {
		if s.Password != "" {
			return s, errors.New(passwordVariable + " and " + fileVariable + ": only one may be set")
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return s, fmt.Errorf("%s: %w", fileVariable, err)
		}
		s.Password = strings.TrimSpace(string(raw))
	}
	if (s.Username == "") != (s.Password == "") {
		return s, errors.New(usernameVariable + " and " + passwordVariable + ": one without the other")
	}
	if file := os.Getenv(caVariable); file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return s, fmt.Errorf("%s: %w", caVariable, err)
		}
		if _, err := certificates(raw); err != nil {
			return s, fmt.Errorf("%s: %s %w", caVariable, file, err)
		}
		s.CA = string(raw)
	}
	s.TLS = s.Username != "" || s.CA != ""
	if v := os.Getenv(tlsVariable); v != "" {
		encrypted, err := strconv.ParseBool(v)
		if err != nil {
			return s, fmt.Errorf("%s: %q is neither true nor false", tlsVariable, v)
		}
		s.TLS = encrypted
	}
	_, err := s.login()
	return s, err
}

// Environment returns the variables from which FromEnvironment makes the same settings, without the brokers and the CA.
func (s Settings) Environment() []string {
	return []string{usernameVariable + "=" + s.Username, passwordVariable + "=" + s.Password, mechanismVariable + "=" + s.Mechanism,
		tlsVariable + "=" + strconv.FormatBool(s.TLS)}
}

// As returns the settings for another user of the same Kafka.
func (s Settings) As(username, password string) Settings {
	s.Username, s.Password = username, password
	return s
}

// Client returns a client. It does not connect yet.
func (s Settings) Client(more ...kgo.Opt) (*kgo.Client, error) {
	opts := []kgo.Opt{kgo.SeedBrokers(strings.Split(s.Brokers, ",")...)}
	if s.TLS {
		roots, err := s.authorities()
		if err != nil {
			return nil, fmt.Errorf("%w: the CA %w", ErrSettings, err)
		}
		opts = append(opts, kgo.DialTLSConfig(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}))
	}
	login, err := s.login()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	if login != nil {
		opts = append(opts, kgo.SASL(login))
	}
	client, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		return nil, fmt.Errorf("the address of Kafka (%s): %w", s.Brokers, err)
	}
	return client, nil
}

// login returns how the user logs in, nil without a user.
func (s Settings) login() (sasl.Mechanism, error) {
	if s.Username == "" {
		return nil, nil //nolint:nilnil // which means that nobody logs in
	}
	switch s.Mechanism {
	case "", ScramSHA512:
		return scram.Auth{User: s.Username, Pass: s.Password}.AsSha512Mechanism(), nil
	case ScramSHA256:
		return scram.Auth{User: s.Username, Pass: s.Password}.AsSha256Mechanism(), nil
	case Plain:
		return plain.Auth{User: s.Username, Pass: s.Password}.AsMechanism(), nil
	default:
		return nil, fmt.Errorf("%s: %q is none of SCRAM-SHA-512, SCRAM-SHA-256 and PLAIN", mechanismVariable, s.Mechanism)
	}
}

// authorities returns the certificates of the CA. It returns nil, which means the machine's, without one.
func (s Settings) authorities() (*x509.CertPool, error) {
	if s.CA == "" {
		return nil, nil //nolint:nilnil // which means the machine's
	}
	return certificates([]byte(s.CA))
}

func certificates(raw []byte) (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(raw) {
		return nil, errors.New("has no certificate in PEM")
	}
	return roots, nil
}
