package cli

import (
	"errors"
	"os"
	"time"

	"github.com/spf13/pflag"
)

// This file has what the commands that ask Kafka share.

// brokerTimeout bounds one request of the operator to the broker.
const brokerTimeout = 10 * time.Second

var errNoBrokers = errors.New("which Kafka? Give its brokers with --brokers host:port or KAFKA_BROKERS (locally, `taskwire status` shows the broker's port)")

// brokersFlag adds --brokers. Its default is KAFKA_BROKERS.
func brokersFlag(flags *pflag.FlagSet, brokers *string) {
	flags.StringVar(brokers, "brokers", os.Getenv("KAFKA_BROKERS"), "Kafka's brokers: host:port, separated by commas (default: KAFKA_BROKERS)")
}
