// Command wholelist finds the architectures of a cluster as client-go's
// examples and most programs do: with the typed client, from a list of whole
// nodes.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "wholelist:", err)
		os.Exit(1)
	}
}

func run(kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	nodes, err := client.CoreV1().Nodes().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	var found []string
	for _, n := range nodes.Items {
		found = append(found, n.Status.NodeInfo.OperatingSystem+"/"+n.Status.NodeInfo.Architecture)
	}
	slices.Sort(found)
	fmt.Println(slices.Compact(found))
	return nil
}
