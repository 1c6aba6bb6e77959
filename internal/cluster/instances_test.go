package cluster

import "testing"

// Names from the clouds' own lists of machines.
func TestArchOfInstance(t *testing.T) {
	for arch, names := range map[string][]string{
		"arm64": {
			"a1.medium", "t4g.nano", "m6g.large", "m6gd.metal", "c7gn.16xlarge", "r8g.48xlarge", "x2gd.large", "im4gn.large", "is4gen.8xlarge", "i4g.large", "g5g.xlarge", "hpc7g.4xlarge",
			"p6e-gb200.36xlarge", "c8gb.large", "m7g", "c6gn", "t4g",
			"Standard_D2ps_v5", "Standard_D4pds_v6", "Standard_D2pls_v5", "Standard_E4ps_v5", "Standard_B2pts_v2", "Standard_ND128isr_GB200_v6",
			"t2a-standard-4", "c4a-standard-8", "c4a-highmem-8-lssd", "n4a-standard-1", "a4x-highgpu-4g", "c4a", "n4a", "t2a",
		},
		"amd64": {
			"m5.large", "c6a.large", "m7i-flex.large", "g4dn.xlarge", "g4ad.xlarge", "p4d.24xlarge", "trn1n.32xlarge", "inf2.xlarge", "x2iedn.large", "u7i-12tb.224xlarge", "g6e.xlarge", "m5", "r6i", "p6-b200.48xlarge",
			"Standard_D4s_v5", "Standard_D4ads_v5", "Standard_NP10s", "Standard_E4-2s_v5", "Standard_B2ms", "Standard_NC24ads_A100_v4",
			"e2-standard-4", "n2d-standard-8", "c3d-highcpu-4", "t2d-standard-1", "c4d-standard-2", "g2-standard-4", "e2-medium", "n2", "e2",
		},
		"": {"", "large", "mac2.metal", "mac2-m2pro.metal", "u-6tb1.metal", "Basic_A1", "bare metal", "cx22", "s-2vcpu-4gb", "VM.Standard.A1.Flex", "Standard_p"},
	} {
		for _, name := range names {
			if got := archOfInstance(name); got != arch {
				t.Errorf("%s: %q, want %q", name, got, arch)
			}
		}
	}
}
