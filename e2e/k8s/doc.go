// Package k8s tests Taskwire on a real cluster, through its Ingress, as scripts/k8s/deploy.sh deploys it. `make k8s-test`
// starts a cluster and runs these tests. The build tag k8s excludes them from every other run.
//
// The tests look into the cluster with kubectl only, as an operator would. What can be seen only from within a pod, the
// program in probe finds out, in a pod of its own.
package k8s
