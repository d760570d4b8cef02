// Package k8s tests Taskwire on a real cluster, through its Ingress: what scripts/k8s/deploy.sh put there. `make k8s-test`
// brings a cluster and runs it; the build tag k8s keeps it out of every other run.
//
// It looks into the cluster with kubectl alone, as an operator would. What has to be seen from within a pod is asked by the
// program in probe, which runs as a pod of its own.
package k8s
