package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dapr/dapr/pkg/apis/resiliency/v1alpha1"
	"github.com/dapr/dapr/pkg/resiliency"
	"github.com/dapr/kit/logger"
	"sigs.k8s.io/yaml"
)

// tryFor lets a delivery fail for the time away, on a fake clock. It returns how long daprd retried and whether the delivery
// succeeded.
func tryFor(t *testing.T, component string, away time.Duration, change func(*v1alpha1.Resiliency)) (tried time.Duration, through bool) {
	t.Helper()
	var policies v1alpha1.Resiliency
	for _, doc := range documents(t) {
		if text(doc, "kind") != "Resiliency" {
			continue
		}
		raw, err := yaml.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(raw, &policies); err != nil {
			t.Fatalf("the resiliency resource has a field that Dapr does not know: %v", err)
		}
	}
	if change != nil {
		change(&policies)
	}
	log := logger.NewLogger("test")
	log.SetOutputLevel(logger.FatalLevel)
	synctest.Test(t, func(*testing.T) {
		policy := resiliency.FromConfigurations(log, &policies).ComponentInboundPolicy(component, resiliency.Pubsub)
		began := time.Now()
		_, err := resiliency.NewRunner[any](context.Background(), policy)(func(context.Context) (any, error) {
			if tried = time.Since(began); tried < away {
				return nil, errors.New("the database does not answer")
			}
			return nil, nil
		})
		through = err == nil
	})
	return tried, through
}

func TestADeliveryIsRetriedForHours(t *testing.T) {
	for _, component := range []string{"kafka-pubsub", "kafka-fanout"} {
		if tried, through := tryFor(t, component, 3*time.Hour, nil); !through {
			t.Errorf("%s gave up a delivery after %s, so it would be dead-lettered", component, tried)
		}
	}
}

// This is why the policy is constant: an exponential one would be better, but Dapr ends it after 15 minutes.
func TestDaprEndsAnExponentialRetryWithinMinutes(t *testing.T) {
	tried, through := tryFor(t, "kafka-pubsub", 3*time.Hour, func(r *v1alpha1.Resiliency) {
		retry := r.Spec.Policies.Retries["untilTaken"]
		retry.Policy, retry.Duration, retry.MaxInterval = "exponential", "", "5s"
		r.Spec.Policies.Retries["untilTaken"] = retry
	})
	if through || tried > 20*time.Minute {
		t.Errorf("an exponential retry lasted %s, succeeded %t: the policy could be exponential now", tried, through)
	}
}

func TestRecoveryIsNoticedWithinSeconds(t *testing.T) {
	const away, step = time.Hour, 5 * time.Second
	if tried, _ := tryFor(t, "kafka-pubsub", away, nil); tried > away+step {
		t.Errorf("a delivery succeeded %s after the database answered again, want within %s", tried-away, step)
	}
}
