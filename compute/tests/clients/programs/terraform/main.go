// Sends the requests that Terraform's openstack_compute_flavor_v2 sends for one step in the life of a flavor.
//
// The provider cannot be had from a Debian or Python package; it sends them with gophercloud, as is done here. Source:
// terraform-provider-openstack, resource_openstack_compute_flavor_v2.go.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/gophercloud/gophercloud"
	"github.com/gophercloud/gophercloud/openstack"
	"github.com/gophercloud/gophercloud/openstack/compute/v2/flavors"
)

const name = "of.the.client"

// description is not known to this gophercloud.
type create struct {
	flavors.CreateOpts
	Description string
}

func (opts create) ToFlavorCreateMap() (map[string]interface{}, error) {
	body, err := opts.CreateOpts.ToFlavorCreateMap()
	if err == nil {
		body["flavor"].(map[string]interface{})["description"] = opts.Description
	}
	return body, err
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// compute finds Nova by the region, unless it is told where it is; it is the microversion of the descriptions.
func compute() *gophercloud.ServiceClient {
	auth, err := openstack.AuthOptionsFromEnv()
	must(err)
	provider, err := openstack.AuthenticatedClient(auth)
	must(err)
	client, err := openstack.NewComputeV2(provider, gophercloud.EndpointOpts{Region: os.Getenv("OS_REGION_NAME")})
	must(err)
	if override := os.Getenv("OS_COMPUTE_ENDPOINT_OVERRIDE"); override != "" {
		client.Endpoint = override + "/"
	}
	client.Microversion = "2.55"
	return client
}

// read is what Terraform does at the end of every step, and at every plan.
func read(client *gophercloud.ServiceClient, id string) {
	flavor, err := flavors.Get(client, id).Extract()
	if _, isGone := err.(gophercloud.ErrDefault404); isGone {
		fmt.Println("null")
		return
	}
	must(err)
	specs, err := flavors.ListExtraSpecs(client, id).Extract()
	must(err)
	must(json.NewEncoder(os.Stdout).Encode(map[string]interface{}{
		"id": flavor.ID, "name": flavor.Name, "ram": flavor.RAM, "vcpus": flavor.VCPUs, "disk": flavor.Disk,
		"swap": flavor.Swap, "is_public": flavor.IsPublic, "extra_specs": specs,
	}))
}

func created(client *gophercloud.ServiceClient, ram int) string {
	disk, swap, isPublic := 1, 64, true
	options := flavors.CreateOpts{Name: name, RAM: ram, VCPUs: 2, Disk: &disk, Swap: &swap, IsPublic: &isPublic, RxTxFactor: 1}
	flavor, err := flavors.Create(client, create{options, "made by Terraform"}).Extract()
	must(err)
	specs := flavors.ExtraSpecsOpts{"hw:cpu_policy": "dedicated", "hw:numa_nodes": "1"}
	_, err = flavors.CreateExtraSpecs(client, flavor.ID, specs).Extract()
	must(err)
	return flavor.ID
}

// update describes it anew, and takes all of its extra specs away before it sets those that there are now.
func update(client *gophercloud.ServiceClient, id string) {
	body := map[string]interface{}{"flavor": map[string]string{"description": "changed by Terraform"}}
	_, err := client.Put(client.ServiceURL("flavors", id), body, nil, &gophercloud.RequestOpts{OkCodes: []int{200}})
	must(err)
	old, err := flavors.ListExtraSpecs(client, id).Extract()
	must(err)
	for key := range old {
		must(flavors.DeleteExtraSpec(client, id, key).ExtractErr())
	}
	_, err = flavors.CreateExtraSpecs(client, id, flavors.ExtraSpecsOpts{"hw:cpu_policy": "shared"}).Extract()
	must(err)
}

// list follows the links from page to page, as the data source does.
func list(client *gophercloud.ServiceClient) {
	pages, err := flavors.ListDetail(client, flavors.ListOpts{AccessType: flavors.AllAccess, Limit: 2}).AllPages()
	must(err)
	all, err := flavors.ExtractFlavors(pages)
	must(err)
	names := []string{}
	for _, flavor := range all {
		names = append(names, flavor.Name)
	}
	must(json.NewEncoder(os.Stdout).Encode(names))
}

func main() {
	client := compute()
	switch step := os.Args[1]; step {
	case "create":
		read(client, created(client, 256))
	case "renumber":
		must(flavors.Delete(client, os.Args[2]).ExtractErr())
		read(client, created(client, 512))
	case "update":
		update(client, os.Args[2])
		read(client, os.Args[2])
	case "read":
		read(client, os.Args[2])
	case "destroy":
		must(flavors.Delete(client, os.Args[2]).ExtractErr())
		read(client, os.Args[2])
	case "list":
		list(client)
	}
}
