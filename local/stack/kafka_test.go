package stack

import (
	"testing"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/local/secretfile"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

func TestEachSidecarLogsInAsItsUserWhereThereAreUsers(t *testing.T) {
	t.Parallel()
	secrets, err := secretfile.New()
	if err != nil {
		t.Fatal(err)
	}
	user, generated := kafkausers.Of(apps.Audit), secrets.KafkaPasswords()
	given := kafkaconn.Settings{Username: "boss", Password: "given", Mechanism: kafkaconn.Plain, TLS: true}
	for name, test := range map[string]struct {
		cfg        Config
		user, want string // want is the password
		mechanism  string
	}{
		"our own broker":                       {Config{}, user, generated[user], ""},
		"our own broker, the administrator":    {Config{}, kafkausers.Admin, generated[kafkausers.Admin], ""},
		"brokers that ask for no password":     {Config{Kafka: "b:1"}, user, "", ""},
		"brokers of which we have the boss":    {Config{Kafka: "b:1", KafkaLogin: KafkaLogin{Settings: given}}, user, generated[user], kafkaconn.ScramSHA512},
		"the same, the administrator":          {Config{Kafka: "b:1", KafkaLogin: KafkaLogin{Settings: given}}, kafkausers.Admin, "given", kafkaconn.Plain},
		"brokers where all share one user":     {Config{Kafka: "b:1", KafkaLogin: KafkaLogin{Settings: given, Shared: true}}, user, "given", kafkaconn.Plain},
		"the same, as the operator's commands": {Config{Kafka: "b:1", KafkaLogin: KafkaLogin{Settings: given, Shared: true}}, kafkausers.Operator, "given", kafkaconn.Plain},
	} {
		s := &Stack{cfg: test.cfg, secrets: secrets, plan: &plan{broker: 9}}
		got := s.kafka(test.user)
		if got.Password != test.want || got.Mechanism != test.mechanism || (got.Username == "") != (test.want == "") {
			t.Errorf("%s: user %q, mechanism %q, the right password: %v", name, got.Username, got.Mechanism, got.Password == test.want)
		}
	}
}
