package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/local/ports"
	"github.com/taskwire/taskwire/local/runstate"
	"github.com/taskwire/taskwire/local/secretfile"
	"github.com/taskwire/taskwire/local/stack"
)

// This file has what the commands that ask Kafka share.

const (
	// brokerTimeout bounds one request of the operator to the broker.
	brokerTimeout = 10 * time.Second

	brokersVariable = "KAFKA_BROKERS"
	// sharedVariable lets `taskwire up` use one user for all services.
	sharedVariable = "KAFKA_SHARED_USER"
)

var errNoBrokers = errors.New("which Kafka? Give its brokers with --brokers host:port or KAFKA_BROKERS, or the data folder of a running `taskwire up` with --data")

// kafkaFlags are the flags of the commands that ask Kafka.
type kafkaFlags struct{ brokers, data string }

func (f *kafkaFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.brokers, "brokers", os.Getenv(brokersVariable), "Kafka's brokers: host:port, separated by commas (default: "+brokersVariable+", or else the broker of `taskwire up`)")
	flags.StringVar(&f.data, "data", "", "data folder of the `taskwire up` whose broker is asked (default: "+dataFolder+" in the repository)")
}

// settings returns how to connect to Kafka: as the environment says, or as one of our own users to the broker of `taskwire up`.
func (f *kafkaFlags) settings(user string) (kafkaconn.Settings, error) {
	if f.brokers != "" {
		return kafkaconn.FromEnvironment(f.brokers)
	}
	data, err := findData(f.data)
	if err != nil {
		return kafkaconn.Settings{}, fmt.Errorf("%w (%w)", errNoBrokers, err)
	}
	state, err := runstate.Load(data)
	if err != nil {
		return kafkaconn.Settings{}, err
	}
	if state == nil {
		return kafkaconn.Settings{}, fmt.Errorf("%w (nothing runs in %s)", errNoBrokers, data)
	}
	i := slices.IndexFunc(state.Parts, func(p runstate.Part) bool { return p.Name == stack.Broker })
	if i < 0 {
		return kafkaconn.Settings{}, fmt.Errorf("%w (%s has no broker of its own)", errNoBrokers, data)
	}
	passwords, err := kafkausers.ReadPasswords(secretfile.KafkaPath(stack.SecretsDir(data)))
	if err != nil {
		return kafkaconn.Settings{}, err
	}
	return kafkaconn.Settings{Brokers: ports.Loopback(state.Parts[i].Port), Username: user, Password: passwords[user]}, nil
}

// kafkaLogin returns how `taskwire up` logs in to the Kafka that KAFKA_BROKERS names.
func kafkaLogin() (stack.KafkaLogin, error) {
	settings, err := kafkaconn.FromEnvironment(os.Getenv(brokersVariable))
	if err != nil {
		return stack.KafkaLogin{}, err
	}
	login := stack.KafkaLogin{Settings: settings}
	if v := os.Getenv(sharedVariable); v != "" {
		if login.Shared, err = strconv.ParseBool(v); err != nil {
			return stack.KafkaLogin{}, fmt.Errorf("%s: %q is neither true nor false", sharedVariable, v)
		}
	}
	return login, nil
}
