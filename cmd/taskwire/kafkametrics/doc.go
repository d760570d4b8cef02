// Package kafkametrics exports to Prometheus what only the broker knows: how far behind each consumer group is, including
// groups without a process; how many dead letters there are; and which partitions lack a replica.
// The process also removes the consumer groups of replicas that are gone (local/replicagroups), because it is the one
// that runs next to every Kafka.
//
// Promises:
//   - Each consumer of package consumers has its series, whether or not its group exists. So its alerts can fire on a new
//     installation, and after its offsets have expired.
//   - A scrape ends within its timeout. When the broker does not answer, the scrape contains taskwire_kafka_up 0 and no
//     earlier values.
//
// The package is not internal because the whole-stack tests run it.
package kafkametrics
