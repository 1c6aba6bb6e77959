require('../main.js').one('inject-affinity');
